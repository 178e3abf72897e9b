// Keeps a till's sales in the browser until the server has booked them. Everything else works without it.
"use strict";

const till = document.querySelector("[data-till]");
const PREFIX = "till-sale-";
const CLOCK = "till-clock";
const SENT_MAX = 8;
const LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const AGAIN_MS = 15_000;
const LATER = [429, 503];
let sending = false;

// The server's time: this device's clock may be wrong, and sales are dated by the server's.
function correct(serverNow) {
  localStorage.setItem(CLOCK, String(serverNow - Date.now()));
}

function now() {
  return new Date(Date.now() + Number(localStorage.getItem(CLOCK) ?? 0)).toISOString();
}

// Each sale has a place of its own, so that two windows do not overwrite each other's.
function kept() {
  const names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  const sales = names.map((name) => JSON.parse(localStorage.getItem(name)));
  return sales.sort((one, other) => one.sale.placed_at.localeCompare(other.sale.placed_at));
}

function keep(one) {
  localStorage.setItem(PREFIX + one.sale.order_id, JSON.stringify(one));
}

function forget(orderId) {
  localStorage.removeItem(PREFIX + orderId);
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => LETTERS[byte % LETTERS.length]).join("");
}

function minorUnits(text) {
  const exponent = Number(till.dataset.exponent);
  const [, major, minor = ""] = /^(\d{1,9})(?:[.,](\d*))?$/.exec(text.trim()) ?? [];
  if (major === undefined || minor.length > exponent) return 0;
  return Number(major + minor.padEnd(exponent, "0"));
}

function button(text, does) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", does);
  return made;
}

function show(note = "") {
  const sales = kept();
  const list = till.querySelector("[data-list]");
  till.hidden = sales.length === 0;
  const said = till.querySelector("[data-note]");
  said.textContent = note;
  said.hidden = note === "";
  list.replaceChildren(
    ...sales.map(({ sale, refused }) => {
      const row = document.createElement("li");
      row.className = "row";
      const what = document.createElement("span");
      const amount = (sale.total / 10 ** Number(till.dataset.exponent)).toFixed(Number(till.dataset.exponent));
      what.textContent = `${amount} · ${sale.who ?? sale.name ?? ""} · ${refused ?? till.dataset.waits}`;
      row.append(what);
      if (refused) {
        row.append(
          button(till.dataset.again, () => {
            keep({ sale });
            send();
          }),
          button(till.dataset.remove, () => {
            forget(sale.order_id);
            show();
          }),
        );
      }
      return row;
    }),
  );
}

// Sends what waits. Answers whether the server was there.
async function send() {
  if (sending || !till.dataset.send) {
    show(till.dataset.send ? "" : till.dataset.lost);
    return false;
  }
  sending = true;
  let note = "";
  try {
    for (;;) {
      const waiting = kept().filter((one) => !one.refused).slice(0, SENT_MAX);
      if (waiting.length === 0) return true;
      const sales = JSON.stringify(waiting.map(({ sale: { name, ...sale } }) => sale));
      const body = new URLSearchParams({ form_token: till.dataset.token, sales });
      const answer = await fetch(till.dataset.send, { method: "POST", body });
      if (answer.redirected || !(answer.headers.get("content-type") ?? "").includes("json")) {
        note = till.dataset.lost;
        return false;
      }
      const { now: serverNow, items } = await answer.json();
      correct(serverNow);
      for (const { order_id: orderId, status, text } of items) {
        const one = waiting.find(({ sale }) => sale.order_id === orderId);
        if (status === 200) forget(orderId);
        else if (!LATER.includes(status)) keep({ ...one, refused: text });
      }
      if (items.some(({ status }) => LATER.includes(status))) return false;
    }
  } catch {
    return false;
  } finally {
    sending = false;
    show(note);
  }
}

function offerWithoutConnection() {
  const isOffline = !navigator.onLine;
  for (const form of document.querySelectorAll("form[data-sale]:not([data-member])")) form.hidden = !isOffline;
  for (const form of document.querySelectorAll("form[data-find]")) form.hidden = isOffline;
}

async function sell(form) {
  const field = (name) => form.querySelector(`[name="${name}"]`) ?? form.querySelector(`[name="kept-${name}"]`);
  const total = minorUnits(field("amount").value);
  const who = form.dataset.member ? undefined : field("who").value.trim();
  const wrong = form.querySelector("[data-wrong]");
  wrong.textContent = total ? (who === "" ? till.dataset.who : "") : till.dataset.amount;
  wrong.hidden = wrong.textContent === "";
  if (!wrong.hidden) return;
  const key = field("key");
  const sale = { order_id: `till-${key.value}`, placed_at: now(), total, store_id: till.dataset.store };
  const name = document.querySelector("#name")?.textContent;
  keep({ sale: form.dataset.member ? { ...sale, member_id: form.dataset.member, name } : { ...sale, who } });
  key.value = newKey();
  form.reset();
  await send();
  const isBooked = !kept().some((one) => one.sale.order_id === sale.order_id);
  if (isBooked && form.dataset.member) location.assign(`${location.pathname}?said=till_sold`);
}

for (const form of document.querySelectorAll("form[data-sale]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sell(form);
  });
}
correct(Number(till.dataset.now));
addEventListener("online", () => {
  offerWithoutConnection();
  send();
});
addEventListener("offline", offerWithoutConnection);
addEventListener("storage", () => show());
setInterval(send, AGAIN_MS);
offerWithoutConnection();
send();
