--@include mark
--@include window
-- Takes the lease to build a missing list.
-- KEYS: 1 the list. ARGV: 1 token, 2 lease ms. Result: "leased", "building" (by somebody else) or "stored".
local mark = run_mark()
local floor, state = window_floor(KEYS[1], mark)
if floor then return 'stored' end
if state == 'building' then return state end
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], 'l' .. ARGV[1] .. '|' .. mark)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'leased'
