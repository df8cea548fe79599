// Pages that were open once can be read without a network: see offline-worker.js.
navigator.serviceWorker?.register('/offline-worker.js').catch(() => {});
