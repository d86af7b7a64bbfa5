for (const slider of document.querySelectorAll('.slider input')) {
  slider.addEventListener('input', () => slider.parentElement.style.setProperty('--cut', slider.value + '%'));
}
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    heads.forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = [...table.tBodies[0].rows];
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      const [u, v] = [parseFloat(x), parseFloat(y)];
      if (x === '' || y === '') return (x === '') - (y === '');
      const order = row_is_number(x, u) && row_is_number(y, v) ? u - v : x.localeCompare(y);
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  }));
}
function row_is_number(text, value) { return !Number.isNaN(value) && String(text).trim() !== '' && isFinite(text); }
