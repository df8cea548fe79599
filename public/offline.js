// Pages that were open once can be read without a network: see offline-worker.js.
const workers = navigator.serviceWorker;
workers
  ?.register('/offline-worker.js')
  .then(() => workers.ready)
  .then(({ active }) => {
    // What the browser had at hand, or fetched before there was a worker, the worker has not seen.
    const tell = (list) => active.postMessage(list.getEntries().map((entry) => entry.name));
    new PerformanceObserver(tell).observe({ type: 'resource', buffered: true });
    // Nor a page that was open before there was a worker, nor rooms that are opened from another one.
    const here = () => active.postMessage([location.href]);
    here();
    globalThis.navigation?.addEventListener('navigatesuccess', here);
  })
  .catch(() => {});
