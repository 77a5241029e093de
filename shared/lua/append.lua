-- Adds one frozen batch to a run's log and rings the session (R15, R16).
-- KEYS meta, log, bell
-- ARGV run_id, fence, expected_head, ttl, entry, ...
-- -> {'OK', head} | {'NOLOG'} | {'FENCED', fence} | {'MISMATCH', head} | {'ENDED', head}
local meta, log, bell = KEYS[1], KEYS[2], KEYS[3]
local fence, expected, first = ARGV[2], tonumber(ARGV[3]), 5
local count = #ARGV - first + 1

local now = redis.call('HMGET', meta, 'fence', 'head', 'epoch', 'ended')
if not now[1] then return {'NOLOG'} end
if now[1] ~= fence then return {'FENCED', now[1]} end
local head = tonumber(now[2])

if head == expected then
  if now[4] then return {'ENDED', now[2]} end
  for i = 1, count do
    redis.call('XADD', log, (expected + i) .. '-0', 'd', ARGV[first + i - 1], 'f', fence)
  end
  if expected == 0 then redis.call('EXPIRE', log, ARGV[4]) end
  redis.call('HSET', meta, 'head', expected + count)
  redis.call('PUBLISH', bell, 'E ' .. ARGV[1] .. ' ' .. now[3] .. ' ' .. fence .. ' ' ..
    (expected + 1) .. ' 0\n' .. table.concat(ARGV, '\n', first))
  return {'OK', tostring(expected + count)}
end

-- A batch that is sent again: fine only if it stands there already, to the byte.
if head < expected + count then return {'MISMATCH', now[2]} end
local there = redis.call('XRANGE', log, (expected + 1) .. '-0', (expected + count) .. '-0')
if #there ~= count then return {'MISMATCH', now[2]} end
for i = 1, count do
  local fields = there[i][2]
  if fields[2] ~= ARGV[first + i - 1] or fields[4] ~= fence then return {'MISMATCH', now[2]} end
end
return {'OK', now[2]}
