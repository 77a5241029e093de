-- Appends one frozen batch to the log of each of several runs, and publishes it (R15, R16).
-- KEYS for each batch: meta, log, channel
-- ARGV ttl, then for each batch: run_id, fence, expected_head, count, entry * count
-- -> for each batch: {'OK', head} | {'NOLOG'} | {'FENCED', fence} | {'MISMATCH', head} | {'ENDED', head}
local ttl = ARGV[1]

local function append(meta, log, channel, at)
  local fence, expected, count = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local first = at + 4

  local now = redis.call('HMGET', meta, 'fence', 'head', 'epoch', 'ended')
  if not now[1] then return {'NOLOG'} end
  if now[1] ~= fence then return {'FENCED', now[1]} end
  local head = tonumber(now[2])

  if head == expected then
    if now[4] then return {'ENDED', now[2]} end
    for i = 1, count do
      redis.call('XADD', log, (expected + i) .. '-0', 'd', ARGV[first + i - 1], 'f', fence)
    end
    if expected == 0 then redis.call('EXPIRE', log, ttl) end
    redis.call('HSET', meta, 'head', expected + count)
    redis.call('PUBLISH', channel, 'E ' .. ARGV[at] .. ' ' .. now[3] .. ' ' .. fence .. ' ' ..
      (expected + 1) .. ' 0\n' .. table.concat(ARGV, '\n', first, first + count - 1))
    return {'OK', tostring(expected + count)}
  end

  -- A batch that is sent again: OK only if the log has exactly these bytes.
  if head < expected + count then return {'MISMATCH', now[2]} end
  local stored = redis.call('XRANGE', log, (expected + 1) .. '-0', (expected + count) .. '-0')
  if #stored ~= count then return {'MISMATCH', now[2]} end
  for i = 1, count do
    local fields = stored[i][2]
    if fields[2] ~= ARGV[first + i - 1] or fields[4] ~= fence then return {'MISMATCH', now[2]} end
  end
  return {'OK', now[2]}
end

local answers, at = {}, 2
for key = 1, #KEYS, 3 do
  answers[#answers + 1] = append(KEYS[key], KEYS[key + 1], KEYS[key + 2], at)
  at = at + 4 + tonumber(ARGV[at + 3])
end
return answers
