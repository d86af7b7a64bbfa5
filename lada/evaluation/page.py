"""The frame of the HTML reports: one file that needs nothing else, light or dark, wide or narrow."""

from html import escape

STYLE = '''
:root{color-scheme:light dark;--ink:#1c2430;--soft:#667085;--line:#d9dee7;--card:#f6f8fb;--page:#fff;--accent:#2f6fde}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#98a2b3;--line:#333c4b;--card:#1b222d;--page:#12171f;
--accent:#7aa7ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:16px;font:16px/1.5 system-ui,sans-serif;color:var(--ink);
background:var(--page)}
h1{font-size:1.5rem;margin:.4em 0}h2{font-size:1.15rem;margin:1.8em 0 .5em}
.muted,figcaption{color:var(--soft);font-size:.875rem}code{overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px}
.card b{display:block;font-size:1.7rem;line-height:1.2}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}
figure{margin:0}svg.chart{width:100%;max-width:720px;height:auto;display:block}
svg text{fill:var(--soft);font-size:13px}@media(max-width:600px){svg text{font-size:19px}}.grid{stroke:var(--line)}
.mark{stroke:var(--soft);stroke-dasharray:4 4}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px}.legend i{display:inline-block;width:10px;height:10px;
border-radius:5px;margin-right:5px}
.scroll{overflow:auto;max-height:75vh;border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}tr:last-child td{border-bottom:0}
thead th{position:sticky;top:0;background:var(--card);z-index:1}
.sortable th{white-space:normal;min-width:5.5rem}
.sortable th:first-child,.sortable td:first-child{position:sticky;left:0;background:var(--card);white-space:normal;
min-width:min(13rem,36vw);overflow-wrap:anywhere}.sortable th:first-child{z-index:2}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid var(--accent)}
th[aria-sort=ascending] button::after{content:" \\25B2"}th[aria-sort=descending] button::after{content:" \\25BC"}
.clips{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:16px}
.slider{position:relative;overflow:hidden;border-radius:8px;touch-action:pan-y}
.slider img,.truth{display:block;width:100%;image-rendering:auto}
.slider .after{position:absolute;inset:0;clip-path:inset(0 0 0 var(--cut,50%))}
.slider .bar{position:absolute;top:0;bottom:0;left:var(--cut,50%);width:2px;margin-left:-1px;background:#fff;
box-shadow:0 0 3px #000}
.slider input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:ew-resize}
.slider:focus-within{outline:2px solid var(--accent)}
.slider span{position:absolute;top:6px;padding:0 6px;border-radius:4px;background:#0009;color:#fff;font-size:.75rem}
.slider .l{left:6px}.slider .r{right:6px}
details summary{cursor:pointer;color:var(--accent)}
'''

SCRIPT = '''
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
'''


def page(title: str, *sections: str) -> str:
    """Return a whole HTML document; ``sections`` are HTML."""
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
            f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n'
            + '\n'.join(sections) + f'\n<script>{SCRIPT}</script></body></html>\n')


def table(header: list[str], rows: list[list[str | tuple[str, float]]], sortable: bool = False) -> str:
    """Return a table; a cell is text, or text and the number by which it sorts (``nan``: last)."""
    def cell(value):
        if isinstance(value, tuple):
            text, number = value
            return f'<td data-value="{"" if number != number else format(number, ".6g")}">{escape(text)}</td>'
        return f'<td>{escape(value)}</td>'

    heads = ''.join(f'<th><button>{escape(name)}</button></th>' if sortable else f'<th>{escape(name)}</th>'
                    for name in header)
    body = '\n'.join(f'<tr>{"".join(map(cell, row))}</tr>' for row in rows)
    kind = ' class="sortable"' if sortable else ''
    return f'<div class="scroll"><table{kind}><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>'
