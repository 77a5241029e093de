-- Writes and publishes the last entries of a run, once (R20): the database has them and their seqs.
-- KEYS meta, log, checkpoint, live, channel
-- ARGV run_id, fence, epoch, terminal_seq, ttl, entry, ... (the last one is the terminal entry)
-- -> {'OK', terminal_seq} | {'ALREADY', terminal_seq}
local RECENT = 60 -- seconds; as in store.py
local meta, log, checkpoint, live, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local run_id, fence, epoch, terminal, ttl, first = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], 6
local count = #ARGV - first + 1

local now = redis.call('HMGET', meta, 'head', 'ended')
if now[2] then return {'ALREADY', ARGV[4]} end

-- For a while a relay that received nothing of the run finds it here (R27).
local time = tonumber(redis.call('TIME')[1])
local known = redis.call('HGETALL', live)
for i = 1, #known, 2 do
  local ended = string.match(known[i + 1], '^ended:(%d+)$')
  if ended and tonumber(ended) < time - RECENT then redis.call('HDEL', live, known[i]) end
end
redis.call('HSET', live, run_id, 'ended:' .. time)

local before = terminal - count
local head = tonumber(now[1] or '-1')
if head ~= before then
  -- The log is lost, or does not end where the database says: only these entries count now.
  redis.call('DEL', log, checkpoint)
  redis.call('HSET', meta, 'base', before)
end
for i = 1, count do
  redis.call('XADD', log, (before + i) .. '-0', 'd', ARGV[first + i - 1], 'f', fence)
end
redis.call('HSET', meta, 'fence', fence, 'epoch', epoch, 'head', terminal, 'ended', 1)
for _, key in ipairs({meta, log, checkpoint, live}) do redis.call('EXPIRE', key, ttl) end
redis.call('PUBLISH', channel, 'E ' .. run_id .. ' ' .. epoch .. ' ' .. fence .. ' ' ..
  (before + 1) .. ' 1\n' .. table.concat(ARGV, '\n', first))
return {'OK', ARGV[4]}
