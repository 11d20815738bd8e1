--@include mark
--@include window
-- Makes a committed tweet known. A body that was erased stays so.
-- KEYS: what is to know of it. ARGV: 1 id, 2 body, 3 time to live in ms, 4 entries kept, 5 slack, 6… what each key is: its
--   "body", its author's "list", or its "state", that it exists (unless it is deleted already, be it under another mark).
for i, key in ipairs(KEYS) do
  local kind = ARGV[i + 5]
  if kind == 'body' then
    redis.call('SET', key, ARGV[2], 'PX', ARGV[3], 'NX')
  elseif kind == 'list' then
    window_push(key, ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]))
  else
    local state = redis.call('GET', key)
    if not state or string.sub(state, 1, 1) == 'l' then
      redis.call('SET', key, 'v' .. run_mark() .. ':1', 'PX', ARGV[3])
    end
  end
end
return redis.status_reply('OK')
