-- Puts events of one room into its ring, in order, and sends each to the
-- watchers: all or, if Redis refuses one, those before it. An event that is not
-- later than the ring's top is dropped.
--
-- KEYS[1]  the ring, a stream whose entry ids are positions
-- ARGV     channel, the ring's length, seconds until an idle ring goes;
--          then of each event: id, '1' if it is the room's first, payload
local ring, channel, length, seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

-- Offsets have 64 bits, Lua's numbers 53: digits are compared as digits.
local function later(a, b)
  local a_epoch, a_offset = a:match('^(%d+)-(%d+)$')
  local b_epoch, b_offset = b:match('^(%d+)-(%d+)$')
  if a_epoch ~= b_epoch then return tonumber(a_epoch) > tonumber(b_epoch) end
  if #a_offset ~= #b_offset then return #a_offset > #b_offset end
  return a_offset > b_offset
end

local newest = redis.call('XREVRANGE', ring, '+', '-', 'COUNT', 1)[1]
local top = newest and newest[1]
local added = 0
for i = 4, #ARGV, 3 do
  local at, first, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not top or later(at, top) then
    local prev = top or (first == '1' and '0-0' or '-')
    redis.call('XADD', ring, 'MAXLEN', length, at, 'prev', prev, 'payload', payload)
    redis.call('PUBLISH', channel, at .. ' ' .. prev .. ' ' .. payload)
    top = at
    added = added + 1
  end
end
if added > 0 then redis.call('EXPIRE', ring, seconds) end
return added
