// Pages that the server renders alone: times become the reader's, and what is to be copied can be.
for (const time of document.querySelectorAll('time[datetime]')) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
addEventListener('click', (event) => {
  const button = event.target.closest('button[data-copy]');
  if (button) navigator.clipboard.writeText(button.dataset.copy).then(() => (button.textContent = 'Copied'));
});
