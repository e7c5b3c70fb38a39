"""A loop of asyncio in a thread of its own, for what goes on while the test does something else."""

import asyncio
import threading


class LoopThread:
    """Its subclasses work on the loop; the test's thread has them take steps there."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, step, *arguments):
        """Take a step on the thread, and return what it says; it may have to be awaited."""

        async def wrapped():
            result = step(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(30)

    def _end_loop(self):
        """What still runs is called off, and has a moment to end."""
        self._do(self._call_off)
        self._thread.join()
        self._loop.close()

    def _call_off(self):
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        self._loop.call_later(0.1, self._loop.stop)
