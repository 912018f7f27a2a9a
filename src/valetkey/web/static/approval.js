// Two pages about approvals. The list looks for itself whether something new waits. The question gives its yes only
// after a moment, when the end of the page was seen and every long value was opened; the server asks for the rest.
"use strict";

const list = document.querySelector("[data-waiting]");
if (list) {
  let looked = Date.now();  // nobody there for a while: an open page is no sign of a person
  for (const kind of ["pointermove", "keydown", "focus"]) addEventListener(kind, () => { looked = Date.now(); });
  setInterval(async () => {
    if (document.hidden || Date.now() - looked > 20 * 60 * 1000) return;
    const answer = await fetch("/approvals/waiting").catch(() => null);
    if (answer?.ok && String((await answer.json()).waiting) !== list.dataset.waiting) location.reload();
  }, 3000);
}

const form = document.querySelector("form[data-approve]");
if (form && !(form.dataset.passkey && !window.PublicKeyCredential)) {
  const button = form.querySelector("button");
  const check = form.elements.opened;
  const long = [...document.querySelectorAll("details[data-long]")];
  let waited = false, seen = false;
  const free = () => {
    const opened = long.every((one) => one.dataset.opened);
    if (check) { check.disabled = !opened; if (!opened) check.checked = false; }
    button.disabled = !(waited && seen && opened);
  };
  button.disabled = true;
  for (const one of long) one.addEventListener("toggle", () => { if (one.open) one.dataset.opened = "yes"; free(); });
  new IntersectionObserver((entries) => { seen ||= entries.some((one) => one.isIntersecting); free(); }).observe(button);
  setTimeout(() => { waited = true; free(); }, 1500);
}
