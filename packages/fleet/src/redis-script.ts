/**
 * Every step of the Redis engine, as one Lua script. It runs atomically, and reads the server's clock.
 *
 * Keys, all with one hash tag, so that they are in one slot of a cluster
 *  - `about`: hash. `version`, `retention`; `born`: a new value after the data was lost
 *  - `log:<log>`: stream of records `i` id, `b` body, `x` expiry. `ids:<log>`: sorted set of their ids by expiry
 *  - `members`: hash. When a member becomes lost, how long it is kept after that, and 1 when it has left
 *  - `slot:<name>`: sorted set of holders by expiry. `holders:<name>`: hash of their fences. `fence:<name>`: the last fence
 *  - `ends`: sorted set of logs and slots by the time at which all their entries have expired. Heartbeats delete these keys. No key
 *    has its own time to live, because the policies `volatile-*` would evict it.
 *
 * Invariants
 *  1. The first entry of a stream is deleted only when it has expired and 500 others follow. A reader that keeps up therefore
 *     finds the entry of its cursor.
 *  2. The cursor of an empty stream is `0-0` and `born`.
 *  3. A fence is greater than the last one, and at least the microseconds of the clock. It therefore also grows after data was
 *     lost. It is formatted, because Lua prints only 14 digits of a number.
 *  4. A member that has left does not come back: a heartbeat that was sent earlier may arrive later.
 */
export const script = `local op, a, b, c, p, call, out = ARGV[2], ARGV[3], ARGV[4], ARGV[5], KEYS[1] .. ':', redis.call, {}
local t = call('time')
local us = t[1] * 1000000 + t[2]
local now = math.floor(us / 1000)
local log, ids, slot, holders, fence = p .. 'log:', p .. 'ids:', p .. 'slot:', p .. 'holders:', p .. 'fence:'
local about, members, ends = p .. 'about', p .. 'members', p .. 'ends'
local function put(...) for _, v in ipairs({...}) do out[#out + 1] = v end end
local function hint(of, topic) redis.pcall('publish', p .. 'hint' .. of, topic) end
local born = call('hget', about, 'born')
if not born then
  born = t[1] .. t[2]
  call('hset', about, 'version', 1, 'retention', ARGV[1], 'born', born)
end
if op == 'about' then return call('hmget', about, 'version', 'retention') end
if op == 'append' then
  local added = {}
  for i = 3, #ARGV, 4 do
    local to, id, x = ARGV[i], ARGV[i + 1], now + ARGV[i + 3]
    if not added[to] then
      local keeps = call('exists', log .. to) == 1
      call('zremrangebyscore', ids .. to, 0, keeps and now or '+inf')
    end
    local new = call('zadd', ids .. to, 'nx', x, id)
    added[to] = (added[to] or 0) + new
    if new == 1 then
      call('xadd', log .. to, '*', 'i', id, 'b', ARGV[i + 2], 'x', x)
      call('zadd', ends, 'gt', x, 'log:' .. to)
    end
  end
  for to, n in pairs(added) do
    local spare = math.min(call('xlen', log .. to) - 500, 2 * n)
    for _, e in ipairs(spare > 0 and call('xrange', log .. to, '-', '+', 'count', spare) or {}) do
      if e[2][6] - now <= 0 then call('xdel', log .. to, e[1]) end
    end
    if to == 'cancels' then hint('', to) else hint(':' .. to, 'inbox') end
  end
elseif op == 'read' then
  local first, last = 1, 501
  out = {b == '0-0' and c == born and 0 or 1, 0, '0-0', born}
  local page = call('xrange', log .. a, b, '+', 'count', 502)
  if page[1] and page[1][1] == b and page[1][2][2] == c then out[1], first, last = 0, 2, 502
  elseif b ~= '0-0' then page = call('xrange', log .. a, '-', '+', 'count', 501) end
  if page[last] then out[2] = 1 end
  for i, e in ipairs(page) do
    if i < last then
      out[3], out[4] = e[1], e[2][2]
      local left = e[2][6] - now
      if i >= first and left > 0 then put(e[2][2], e[2][4], left) end
    end
  end
elseif op == 'meet' then
  if a and (call('hget', members, a) or '0'):sub(-1) == '0' then
    call('hset', members, a, now + b .. ' ' .. c .. ' 0')
  end
  local all = call('hgetall', members)
  for i = 1, #all, 2 do
    local to, keep, gone = all[i + 1]:match('(%S+) (%S+) (%S+)')
    if to - now > -keep then put(all[i], to - now, gone) else call('hdel', members, all[i]) end
  end
  for _, one in ipairs(call('zrangebyscore', ends, 0, now, 'limit', 0, 100)) do
    local kind, name = one:match('^(%a+):(.*)')
    call('zrem', ends, one)
    if kind == 'log' then call('del', log .. name, ids .. name)
    else call('del', slot .. name, holders .. name, fence .. name) end
  end
elseif op == 'leave' then
  local keep = (call('hget', members, a) or ''):match(' (%S+)') or b
  if keep then call('hset', members, a, now .. ' ' .. keep .. ' 1') end
elseif op == 'hold' then
  local x, own = now + c, ARGV[7]
  for _, old in ipairs(call('zrangebyscore', slot .. a, 0, now)) do
    call('zrem', slot .. a, old)
    call('hdel', holders .. a, old)
  end
  local mine = call('hget', holders .. a, b)
  if own and own ~= mine then return {'lost'} end
  if not mine then
    local over = call('zcard', slot .. a) - ARGV[6]
    if over >= 0 then return {'wait', call('zrange', slot .. a, over, over, 'withscores')[2] - now} end
    mine = string.format('%.0f', math.max(us, (call('get', fence .. a) or 0) + 1))
    call('set', fence .. a, mine)
    call('hset', holders .. a, b, mine)
  end
  call('zadd', slot .. a, x, b)
  call('zadd', ends, 'gt', x + 86400000, 'slot:' .. a)
  out = {'fence', mine}
elseif op == 'release' and call('hget', holders .. a, b) == c then
  call('zrem', slot .. a, b)
  call('hdel', holders .. a, b)
  hint('', 'slots')
end
return out
`;
