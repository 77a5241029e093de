-- Replaces the older entries of a log by their fold (R29).
-- KEYS meta, log, checkpoint   ARGV fence, seq, fold, ttl
-- -> {'OK'} | {'FENCED'}
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return {'FENCED'} end
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4])
redis.call('HSET', KEYS[1], 'base', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', (tonumber(ARGV[2]) + 1) .. '-0')
return {'OK'}
