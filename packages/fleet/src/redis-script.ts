/**
 * Every step of the Redis engine, as one Lua script: it runs atomically, and reads the server's clock.
 *
 * Keys, all with one hash tag, so that they are in one slot of a cluster
 *  - `about`: hash. `version`, `retention`; `born`: made anew when the data is lost; `released`: how many permits were given back
 *  - `log:<log>`: stream of records `i` id, `b` body, `x` expiry. `ids:<log>`: sorted set of their ids by expiry
 *  - `members`: hash. Until when a member is alive, how long it is kept after that, and whether it has left
 *  - `slot:<name>`: sorted set of holders by expiry. `holders:<name>`: hash of their fences. `fence:<name>`: the last fence
 *  - `ends`: sorted set of logs and slots by the time after which nothing in them is of use. Heartbeats delete those. No key has
 *    a time to live of its own: the policies `volatile-*` would evict it.
 *
 * Invariants
 *  1. The first entry of a stream is deleted only when it has expired and 500 others follow. A reader that keeps up therefore
 *     finds the entry of its cursor.
 *  2. The cursor of an empty stream is `0-0` and `born`.
 *  3. A fence is greater than the last one, and at least the microseconds of the clock. It therefore also grows after data was
 *     lost. It is formatted, because Lua prints only 14 digits of a number.
 *  4. A member that has left stays so: a heartbeat that was sent earlier may arrive later.
 */
export const script = `local p, retention, op, a, call = KEYS[1], ARGV[1], ARGV[2], ARGV[3], redis.call
local t = call('TIME')
local us = t[1] * 1000000 + t[2]
local now = math.floor(us / 1000)
local about, members, ends = p .. ':about', p .. ':members', p .. ':ends'
local log, ids, slot, holders = p .. ':log:', p .. ':ids:', p .. ':slot:', p .. ':holders:'
local born = call('HGET', about, 'born')
if not born then
  born = string.format('%.0f', us)
  call('HSET', about, 'version', 1, 'retention', retention, 'born', born)
end
local function hint(of, topic) redis.pcall('PUBLISH', p .. ':hint' .. of, topic) end
if op == 'about' then return call('HMGET', about, 'version', 'retention') end
if op == 'append' then
  local added = {}
  for i = 3, #ARGV, 4 do
    local to, id, x = ARGV[i], ARGV[i + 1], now + ARGV[i + 3]
    if not added[to] then
      added[to] = 0
      call('ZREMRANGEBYSCORE', ids .. to, '-inf', now)
    end
    if call('ZADD', ids .. to, 'NX', x, id) == 1 then
      added[to] = added[to] + 1
      call('XADD', log .. to, '*', 'i', id, 'b', ARGV[i + 2], 'x', x)
      call('ZADD', ends, 'GT', x, 'log:' .. to)
    end
  end
  for to, n in pairs(added) do
    local spare = math.min(call('XLEN', log .. to) - 500, 2 * n)
    if spare > 0 then
      for _, e in ipairs(call('XRANGE', log .. to, '-', '+', 'COUNT', spare)) do
        if e[2][6] - now <= 0 then call('XDEL', log .. to, e[1]) end
      end
    end
    if to == 'cancels' then hint('', to) else hint(':' .. to, 'inbox') end
  end
elseif op == 'read' then
  local at, id, out, first, last = ARGV[4], ARGV[5], {1, 0, '0-0', born}, 1, 501
  if at == '0-0' and id == born then out[1] = 0 end
  local page = call('XRANGE', log .. a, at == '' and '-' or at, '+', 'COUNT', 502)
  if page[1] and page[1][1] == at and page[1][2][2] == id then
    out[1], first, last = 0, 2, 502
  elseif at ~= '' and at ~= '0-0' then
    page = call('XRANGE', log .. a, '-', '+', 'COUNT', 501)
  end
  if page[last] then out[2] = 1 end
  for i, e in ipairs(page) do
    if i < last then
      out[3], out[4] = e[1], e[2][2]
      local left = e[2][6] - now
      if i >= first and left > 0 then
        for _, v in ipairs({e[2][2], e[2][4], left}) do out[#out + 1] = v end
      end
    end
  end
  return out
elseif op == 'meet' then
  if a then
    local had = call('HGET', members, a)
    if not had or had:sub(-1) == '0' then call('HSET', members, a, now + ARGV[4] .. ' ' .. ARGV[5] .. ' 0') end
  end
  local out, all = {}, call('HGETALL', members)
  for i = 1, #all, 2 do
    local to, keep, gone = all[i + 1]:match('(%S+) (%S+) (%S+)')
    if to - now <= -keep then call('HDEL', members, all[i])
    else for _, v in ipairs({all[i], to - now, gone}) do out[#out + 1] = v end end
  end
  for _, one in ipairs(call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 100)) do
    local kind, name = one:match('^(%a+):(.*)')
    call('ZREM', ends, one)
    if kind == 'log' then call('DEL', log .. name, ids .. name)
    else call('DEL', slot .. name, holders .. name, p .. ':fence:' .. name) end
  end
  return out
elseif op == 'leave' then
  local keep = (call('HGET', members, a) or ''):match(' (%S+)') or ARGV[4]
  if keep then call('HSET', members, a, now .. ' ' .. keep .. ' 1') end
elseif op == 'hold' then
  local holder, x, permits, fence, of = ARGV[4], now + ARGV[5], ARGV[6] + 0, ARGV[7], p .. ':fence:' .. a
  for _, old in ipairs(call('ZRANGEBYSCORE', slot .. a, '-inf', now)) do
    call('ZREM', slot .. a, old)
    call('HDEL', holders .. a, old)
  end
  local mine = call('HGET', holders .. a, holder)
  if fence and fence ~= mine then return {'lost', 1} end
  if not mine then
    local over = call('ZCARD', slot .. a) - permits
    if over >= 0 then return {'wait', call('ZRANGE', slot .. a, over, over, 'WITHSCORES')[2] - now} end
    mine = string.format('%.0f', math.max(us, (call('GET', of) or 0) + 1))
    call('SET', of, mine)
    call('HSET', holders .. a, holder, mine)
  end
  call('ZADD', slot .. a, x, holder)
  call('ZADD', ends, 'GT', x + 86400000, 'slot:' .. a)
  return {'fence', mine}
elseif op == 'release' and call('HGET', holders .. a, ARGV[4]) == ARGV[5] then
  call('ZREM', slot .. a, ARGV[4])
  call('HDEL', holders .. a, ARGV[4])
  call('HINCRBY', about, 'released', 1)
  hint('', 'slots')
elseif op == 'peek' then
  local function last(of) local e = call('XREVRANGE', log .. of, '+', '-', 'COUNT', 1)[1] return e and e[1] or '' end
  return {last('cancels'), last(a), call('HGET', about, 'released') or ''}
end
`;
