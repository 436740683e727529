// Asks how a run stands, and writes the numbers where they are; a change of state loads the page anew.
import { byId, offerSignIn, show } from "./page.js";

const section = document.querySelector("[data-live]");
const number = new Intl.NumberFormat("en-US");
const state = byId("job-state");
const activities = JSON.parse(section?.dataset.activities || "{}");
let tag = "";
let wait = 1000;
let failures = 0;
let said = "";
let saidAt = 0;

const write = (name, text) => {
  const element = section.querySelector(`[data-text="${name}"]`);
  if (element && element.textContent !== text) element.textContent = text;
};

const zone = { timeZone: document.body.dataset.zone, timeZoneName: "short", hour: "2-digit", minute: "2-digit" };
const clock = (value) => new Date(value).toLocaleTimeString("en-GB", zone);

const minutes = (value) => {
  const left = Math.round((Date.parse(value) - Date.now()) / 60_000);
  return `· ${left > 0 ? `about ${left} min` : "less than a minute"} left (${clock(value)})`;
};

const showCounts = (counts) => {
  const list = section.querySelector("[data-counts]");
  if (!list) return;
  for (const [status, rows] of Object.entries(counts)) {
    let item = list.querySelector(`[data-testid="status-${CSS.escape(status)}"]`);
    if (!item) {
      item = document.createElement("li");
      item.dataset.testid = `status-${status}`;
      const chip = document.createElement("span");
      chip.className = `chip is-${status}`;
      chip.textContent = status;
      item.append(chip, " ", document.createElement("span"));
      list.append(item);
    }
    item.lastElementChild.textContent = number.format(rows);
  }
};

const showReasons = (reasons) => {
  const list = section.querySelector("[data-reasons]");
  if (!list) return;
  for (const { code, rows, words, who, advice } of reasons) {
    let item = list.querySelector(`[data-testid="reason-${CSS.escape(code)}"]`);
    if (!item) {
      item = document.createElement("li");
      item.dataset.testid = `reason-${code}`;
      const name = document.createElement("strong");
      name.textContent = code;
      name.translate = false;
      const advised = document.createElement("span");
      advised.className = "soft";
      advised.textContent = `Who must act: ${who}. ${advice}`;
      item.append(name, document.createElement("span"), document.createElement("br"), advised);
      list.append(item);
    }
    item.children[1].textContent = ` (${number.format(rows)}) ${words}`;
  }
  list.parentElement.hidden = reasons.length === 0;
};

const display = (live) => {
  if (live.state !== section.dataset.state) return location.reload();
  for (const element of section.querySelectorAll("[data-number]")) {
    element.textContent = number.format(live[element.dataset.number]);
  }
  const bar = section.querySelector("progress");
  if (bar) [bar.max, bar.value] = [live.rows || 1, live.settled];
  if (live.rows) document.title = document.title.replace(/^(\d+ % )?/, `${Math.floor((live.settled * 100) / live.rows)} % `);
  write("ends", live.ends_about ? minutes(live.ends_about) : "");
  write("pace", live.pace.per_minute ? `${live.pace.per_minute} calls/min${live.pace.ceiling ? ` of at most ${live.pace.ceiling}` : ""}` : "");
  const verifying = live.activity === "verifying";
  for (const element of section.querySelectorAll("[data-verifying]")) element.hidden = (element.dataset.verifying === "yes") !== verifying;
  if (activities[live.activity]) state.textContent = state.textContent.replace(/:.*|$/, `: ${activities[live.activity]}`);
  write("waits", live.waits);
  showCounts(live.counts);
  showReasons(live.reasons);
  said = live.said;
};

// At most every thirty seconds, but the last words are always said.
const say = () => {
  if (!said || Date.now() - saidAt < 30_000) return;
  write("said", said);
  saidAt = Date.now();
};

const ask = async () => {
  try {
    const hidden = document.hidden ? "?hidden=1" : "";
    const headers = { Accept: "application/json", ...(tag ? { "If-None-Match": tag } : {}) };
    const answer = await fetch(section.dataset.live + hidden, { headers, cache: "no-store" });
    if (answer.status === 401) return offerSignIn(byId("lost"), "You are signed out. Sign in to go on watching.");
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(String(answer.status));
      const live = await answer.json();
      tag = answer.headers.get("ETag") || "";
      wait = live.poll_ms;
      display(live);
    }
    failures = 0;
    say();
    show(byId("lost"), false);
  } catch {
    failures += 1;
    show(byId("lost"), true);
  }
  const pause = failures ? Math.min(30_000, 1000 * 2 ** failures) * (0.75 + Math.random() / 2) : wait * (document.hidden ? 10 : 1);
  timer = setTimeout(ask, pause);
};

let timer = setTimeout(ask, section ? 500 : 0x7fffffff);
document.addEventListener("visibilitychange", () => {
  if (section && !document.hidden) {
    clearTimeout(timer);
    ask();
  }
});
