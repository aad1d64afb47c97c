'use strict';
const form = document.getElementById('filter');
const items = [...document.querySelectorAll('[data-outcome]')];
const groups = [...document.querySelectorAll('[data-group]')].reverse();
const shown = document.getElementById('shown');

function apply() {
  const wanted = Object.fromEntries(new FormData(form));
  for (const item of items) {
    item.hidden = Object.entries(wanted).some(([key, value]) => value && item.dataset[key] !== value);
  }
  // The inner ones first, so that an outer one knows which of them are left.
  for (const group of groups) {
    group.hidden = false;
    group.hidden = ![...group.querySelectorAll('[data-outcome]')].some((item) => !item.hidden);
  }
  const number = items.filter((item) => !item.hidden).length;
  shown.textContent = shown.dataset.text.replace('{shown}', number).replace('{all}', items.length);
}

form.hidden = false;
form.addEventListener('input', apply);
form.addEventListener('reset', () => setTimeout(apply));
form.addEventListener('submit', (event) => event.preventDefault());
apply();

for (const link of document.querySelectorAll('[data-choose]')) {
  link.addEventListener('click', () => {
    form.reset();
    form.elements.row.value = link.dataset.choose;
    apply();
  });
}

// Paper cannot be unfolded.
let opened = [];
addEventListener('beforeprint', () => {
  opened = [...document.querySelectorAll('details:not([open])')];
  opened.forEach((details) => { details.open = true; });
});
addEventListener('afterprint', () => opened.forEach((details) => { details.open = false; }));
