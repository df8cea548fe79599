// Pages that the server renders alone: times become the reader's, "/" leads to the search, a link can be copied.
for (const time of document.querySelectorAll('time[datetime]')) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
addEventListener('keydown', (event) => {
  const { key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
  const control = ctrlKey || metaKey;
  const written = target.closest('input:not([type=checkbox], [type=radio]), textarea, select');
  if ((key !== '/' || control || altKey || written) && !(control && shiftKey && key.toLowerCase() === 'f')) return;
  const field = document.querySelector('#q') ?? document.querySelector('#search');
  if (!field) return;
  event.preventDefault();
  field.select();
  field.focus();
});
for (const button of document.querySelectorAll('button[data-copy]')) {
  button.hidden = false;
  button.addEventListener('click', () =>
    navigator.clipboard.writeText(button.dataset.copy).then(() => (button.textContent = 'Copied')),
  );
}
