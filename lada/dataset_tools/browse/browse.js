(() => {
const PAGE = 48;
const STORE = 'lada-drop:' + DATASET.key;
const find = id => document.getElementById(id);
const grid = find('clips');
const clips = CLIPS.map(([name, source, frames, height, width, block, quality, media, problem]) => ({
  name, source, frames, height, width, block, quality, media, problem,
  key: name.normalize('NFC').toLowerCase(), size: height && height * width,
}));
const names = new Set(clips.map(clip => clip.name));
let marks = read();
let shown = clips;
let page = 0;

// ---- marks

function read() {
  try {
    return new Set(JSON.parse(localStorage.getItem(STORE) || '[]'));
  } catch {
    return new Set();
  }
}

function keep() {
  try {
    if (marks.size) localStorage.setItem(STORE, JSON.stringify([...marks]));
    else localStorage.removeItem(STORE);
  } catch {
    find('kept').textContent = 'This browser does not keep marks: save the list before you leave.';
  }
  tell();
}

function mark(name, on) {
  if (on) marks.add(name); else marks.delete(name);
  keep();
}

// Those of clips that are gone stay in the browser, for when they come back.
function listed() {
  return [...marks].filter(name => names.has(name)).sort();
}

// The rule is in lada/dataset_tools/check/marks.py.
function line(name) {
  const odd = /^[#"\s]|\s$|[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufeff]/u.test(name);
  return odd ? JSON.stringify(name) : name;
}

function list() {
  const head = '# Clips to drop; lada check ROOT --drop FILE moves them aside.\n';
  return head + listed().map(name => line(name) + '\n').join('');
}

function save() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([list()], {type: 'text/plain'}));
  link.download = 'drop.txt';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---- which clips, in which order

function choose() {
  const words = find('filter').value.normalize('NFC').toLowerCase().split(/\s+/).filter(Boolean);
  const only = find('only').checked;
  const by = find('sort').value;
  const down = find('order').getAttribute('aria-pressed') === 'true' ? -1 : 1;
  shown = clips.filter(clip => (!only || marks.has(clip.name)) && words.every(word => clip.key.includes(word)));
  if (by === 'name') {
    if (down < 0) shown.reverse();
  } else {
    shown.sort((a, b) => {
      const [x, y] = [a[by], b[by]];
      if (x === null || y === null) return (x === null) - (y === null);
      return down * (x < y ? -1 : x > y ? 1 : 0);
    });
  }
  show(0);
}

function show(number) {
  page = Math.max(0, Math.min(number, pages() - 1));
  grid.replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(card));
  find('none').hidden = shown.length > 0;
  tell();
}

function pages() { return Math.max(1, Math.ceil(shown.length / PAGE)); }

function tell() {
  const count = listed().length;
  find('page').textContent = `${page + 1} of ${pages()}`;
  find('previous').disabled = page === 0;
  find('next').disabled = page === pages() - 1;
  const of = shown.length === clips.length ? '' : `${shown.length.toLocaleString('en')} of `;
  find('count').textContent = `${of}${clips.length.toLocaleString('en')} clips, ${count} marked`;
  find('save').disabled = find('clear').disabled = count === 0;
}

// ---- one clip

function card(clip) {
  const item = document.createElement('li');
  item.className = 'clip';
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = marks.has(clip.name);
  box.setAttribute('aria-label', `drop ${clip.name}`);
  item.classList.toggle('marked', box.checked);
  box.addEventListener('change', () => {
    item.classList.toggle('marked', box.checked);
    mark(clip.name, box.checked);
  });
  const label = document.createElement('label');
  label.append('drop ', box);
  const name = isolated(clip.name);
  const facts = document.createElement('div');
  facts.className = 'muted';
  facts.append(...about(clip));
  const text = document.createElement('div');
  text.className = 'about';
  text.append(label, name, facts);
  item.append(picture(clip, item), text);
  return item;
}

// Names read from the left, as in a list of files, whatever script they begin with.
function isolated(text) {
  const part = document.createElement('bdi');
  part.dir = 'ltr';
  part.textContent = text;
  return part;
}

function about(clip) {
  if (clip.frames === null) return [];
  const quality = clip.quality === null ? '' : `, quality ${clip.quality.toFixed(2)}`;
  return [isolated(clip.source), `: ${clip.width}×${clip.height}, block ${clip.block}, ${clip.frames} frames${quality}`];
}

function picture(clip, item) {
  const shown = document.createElement('div');
  shown.className = 'shown';
  if (clip.problem !== null) {
    const why = document.createElement('p');
    why.textContent = `cannot be shown: ${clip.problem}`;
    shown.append(why);
    return shown;
  }
  const image = new Image(grid.dataset.width, 192);
  image.loading = 'lazy';
  image.decoding = 'async';
  image.alt = `input, truth and mask of ${clip.name}`;
  image.src = `media/${clip.media}.jpg`;
  shown.append(image);
  let video = null;
  const play = () => {
    if (video) return;
    video = document.createElement('video');
    Object.assign(video, {muted: true, loop: true, playsInline: true, src: `media/${clip.media}.mp4`});
    shown.append(video);
    video.play().catch(() => {});  // left before it began
  };
  const stop = () => {
    if (!video) return;
    video.remove();
    video.removeAttribute('src');
    video.load();
    video = null;
  };
  shown.addEventListener('pointerenter', event => event.pointerType === 'mouse' && play());
  shown.addEventListener('pointerleave', event => event.pointerType === 'mouse' && stop());
  shown.addEventListener('click', event => {
    if (event.pointerType === 'touch') {
      if (video) stop(); else play();
    } else item.querySelector('input').click();
  });
  item.addEventListener('focusin', () => item.querySelector(':focus-visible') && play());
  item.addEventListener('focusout', stop);
  return shown;
}

// ---- keys

const STEPS = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity};

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const at = event.target;
  if (at.matches('select, input[type=search]')) {
    if (event.key === 'Escape') at.blur();
    return;
  }
  if (event.key === '/') find('filter').focus();
  else if (event.key === 'n') turn(1, true);
  else if (event.key === 'p') turn(-1, true);
  else if (event.key in STEPS || event.key === 'ArrowUp' || event.key === 'ArrowDown') {
    const boxes = [...grid.querySelectorAll('input')];
    const from = boxes.indexOf(at);
    if (from < 0 && event.key !== 'ArrowRight') return;
    const columns = getComputedStyle(grid).gridTemplateColumns.split(' ').length;
    const step = STEPS[event.key] ?? (event.key === 'ArrowUp' ? -columns : columns);
    const to = Math.max(0, Math.min(from + step, boxes.length - 1));
    if (boxes[to]) boxes[to].focus({focusVisible: true});
  } else return;
  event.preventDefault();
}

function turn(step, focus = false) {
  if (page + step < 0 || page + step >= pages()) return;
  show(page + step);
  grid.scrollIntoView();
  if (focus) grid.querySelector('input')?.focus({preventScroll: true, focusVisible: true});
}

// ---- beginning

find('command').textContent =
  `${DATASET.command} --drop drop.txt   # moves them to quarantine\n${DATASET.command} --fix restore     # moves them back`;
find('filter').addEventListener('input', choose);
for (const id of ['sort', 'only']) find(id).addEventListener('change', choose);
find('order').addEventListener('click', () => {
  const down = find('order').getAttribute('aria-pressed') !== 'true';
  find('order').setAttribute('aria-pressed', down);
  find('order').textContent = down ? '▼' : '▲';
  choose();
});
find('previous').addEventListener('click', () => turn(-1));
find('next').addEventListener('click', () => turn(1));
find('save').addEventListener('click', save);
find('clear').addEventListener('click', () => {
  if (!confirm(`Unmark ${listed().length} clips?`)) return;
  marks = new Set();
  keep();
  choose();
});
document.addEventListener('keydown', key);
addEventListener('storage', event => {
  if (event.key !== STORE) return;
  marks = read();
  show(page);
});
choose();
})();
