# The outcomes of asyncio.TaskGroup (Python 3.11) and of trio's nursery for the rows of docs/guide/scope-outcomes.md.
# `rows.txt` keeps the versions and the output: python3 test/conformance/python/rows.py 2>/dev/null
import asyncio

import trio

U=0.005
bodies=['returns','throws','is cancelled']
children=['returns','throws','is cancelled','throws during cleanup','ignores cancellation',"throws the scope's own reason",'throws a foreign AbortError']
class Body(Exception): pass
class Child(Exception): pass
def name(e):
    if isinstance(e, BaseExceptionGroup): return type(e).__name__+' of '+', '.join(name(x) for x in e.exceptions)
    return type(e).__name__
async def aio(b,c):
    log=[]
    async def child():
        try:
            if c=='ignores cancellation':
                t=asyncio.get_running_loop().time()+40*U
                while asyncio.get_running_loop().time()<t:
                    try: await asyncio.sleep(t-asyncio.get_running_loop().time())
                    except asyncio.CancelledError: pass
            if c in('returns','ignores cancellation'): return
            if c in ('throws','throws a foreign AbortError'):
                await asyncio.sleep(5*U)
                raise Child() if c=='throws' else asyncio.CancelledError('foreign')
            try: await asyncio.sleep(1000)
            except asyncio.CancelledError:
                if c=='throws during cleanup': raise Child()
                raise
        finally: log.append('child')
    async def main():
        async with asyncio.TaskGroup() as tg:
            t=tg.create_task(child())
            async def later():
                await asyncio.sleep(15*U); t.cancel()
            asyncio.get_running_loop().create_task(later())
            try: await asyncio.sleep(10*U)
            finally:
                if b=='throws': raise Body()
            if b=='is cancelled':
                mt.cancel(); await asyncio.sleep(1)
            r='value'
        return r
    mt=asyncio.get_running_loop().create_task(main())
    try: r=await mt
    except BaseException as e: r=name(e)
    return r
async def tr(b,c):
    if c in ("throws the scope's own reason",'throws a foreign AbortError'): return 'not expressible'
    res=None
    with trio.CancelScope() as outer:
        try:
            cs=trio.CancelScope()
            async with trio.open_nursery() as n:
                async def child():
                    with cs:
                        if c=='ignores cancellation':
                            with trio.CancelScope(shield=True): await trio.sleep(40*U)
                        if c in('returns','ignores cancellation'): return
                        if c=='throws':
                            await trio.sleep(5*U); raise Child()
                        try: await trio.sleep(1000)
                        except trio.Cancelled:
                            if c=='throws during cleanup': raise Child()
                            raise
                n.start_soon(child)
                async def later():
                    await trio.sleep(15*U); cs.cancel()
                trio.lowlevel.spawn_system_task(later)
                try: await trio.sleep(10*U)
                finally:
                    if b=='throws': raise Body()
                if b=='is cancelled':
                    outer.cancel(); await trio.sleep(1)
                res='value'
        except BaseException as e:
            res=name(e)
            if 'Cancelled' in res: raise
            return res
    if outer.cancelled_caught: return 'cancelled'
    return res
for b in bodies:
    for c in children:
        a=asyncio.run(aio(b,c))
        try: t=trio.run(tr,b,c,strict_exception_groups=True)
        except BaseException as e: t=name(e)
        print('|',b,'|',c,'|',a,'|',t,'|')
