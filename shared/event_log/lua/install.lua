-- Makes this fence the one that may append to the log of a run (R14, R15, R17).
-- KEYS meta, log, checkpoint, live, channel
-- ARGV run_id, fence, epoch, min_head, create (0|1), ttl, base, checkpoint, [entry, ...]
-- -> {'OK', epoch, head} installed | {'GONE', head} it cannot be continued | {'FENCED', fence} | {'ENDED', head}
local meta, log, checkpoint, live, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local run_id, fence, epoch, min_head = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local create, ttl, base = ARGV[5] == '1', ARGV[6], tonumber(ARGV[7])

local now = redis.call('HMGET', meta, 'fence', 'epoch', 'head', 'ended')
if now[1] and tonumber(now[1]) > fence then return {'FENCED', now[1]} end
if now[4] then return {'ENDED', now[3]} end

local head = tonumber(now[3] or '-1')
if now[1] and now[2] == epoch and head >= min_head then
  redis.call('HSET', meta, 'fence', fence)
elseif not create then
  return {'GONE', tostring(head)}
else
  redis.call('DEL', meta, log, checkpoint)
  if ARGV[8] ~= '' then redis.call('SET', checkpoint, ARGV[8]) end
  head = base
  for i = 9, #ARGV do
    head = head + 1
    redis.call('XADD', log, head .. '-0', 'd', ARGV[i], 'f', fence)
  end
  redis.call('HSET', meta, 'fence', fence, 'epoch', epoch, 'head', head, 'base', base)
  redis.call('PUBLISH', channel, 'R ' .. run_id .. ' ' .. epoch .. ' ' .. head)
end
redis.call('HSET', live, run_id, epoch)
for _, key in ipairs({meta, log, checkpoint, live}) do redis.call('EXPIRE', key, ttl) end
return {'OK', epoch, tostring(head)}
