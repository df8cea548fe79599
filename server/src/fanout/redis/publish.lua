-- Puts events of one partition into their rooms' rings, in order, sends each to
-- the watchers, and moves the partition's marker: all or, if Redis refuses one,
-- those before it. An event that is not later than its ring's top is dropped. So
-- is one that is not later than the marker: what became of it was decided then,
-- and its ring may have gone since, with others that came after it.
--
-- A Redis that went back to an earlier state went back with its marker. Then
-- nothing is done: `prev` would hide what the rings lack. Answers where the
-- marker is, '-' if there is none; nothing if all is well.
--
-- KEYS[1]   the marker
-- KEYS[2..] the rings, streams whose entry ids are positions
-- ARGV      a ring's length, seconds until an idle ring goes, the position that
--           the marker is at least at ('-': any), the one that it moves to;
--           then of each event: its ring's index in KEYS, id, '1' if it is the
--           room's first, payload
local marker, length, seconds, after, upto = redis.call('GET', KEYS[1]), ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Offsets have 64 bits, Lua's numbers 53: digits are compared as digits.
local function later(a, b)
  local a_epoch, a_offset = a:match('^(%d+)-(%d+)$')
  local b_epoch, b_offset = b:match('^(%d+)-(%d+)$')
  if a_epoch ~= b_epoch then return tonumber(a_epoch) > tonumber(b_epoch) end
  if #a_offset ~= #b_offset then return #a_offset > #b_offset end
  return a_offset > b_offset
end

if after ~= '-' and (not marker or later(after, marker)) then return marker or '-' end

local tops = {}
for i = 5, #ARGV, 4 do
  local ring, at, first, payload = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if tops[ring] == nil then
    local newest = redis.call('XREVRANGE', ring, '+', '-', 'COUNT', 1)[1]
    tops[ring] = newest and newest[1] or false
  end
  local top = tops[ring]
  local known = top
  if marker and (not top or later(marker, top)) then known = marker end
  if not known or later(at, known) then
    local prev = top or (first == '1' and '0-0' or '-')
    redis.call('XADD', ring, 'MAXLEN', length, at, 'prev', prev, 'payload', payload)
    redis.call('EXPIRE', ring, seconds)
    -- A ring's name ends in "ring", its channel's in "live".
    redis.call('PUBLISH', ring:sub(1, -5) .. 'live', at .. ' ' .. prev .. ' ' .. payload)
    tops[ring] = at
  end
end
if not marker or later(upto, marker) then redis.call('SET', KEYS[1], upto) end
return false
