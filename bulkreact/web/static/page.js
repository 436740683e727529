// Buttons are pressed once, focus goes where it helps, and a session that is about to end says so.
const base = document.body.dataset.base;
const later = 120_000;

export const byId = (id) => document.getElementById(id);

export const show = (element, visible) => {
  if (element) element.hidden = !visible;
};

for (const form of document.forms) {
  form.addEventListener("submit", () => {
    // After the browser has taken the form's values.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
  if ("press" in form.dataset) form.requestSubmit();
}

// A page out of the browser's memory has forms that were sent.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const summary = byId("error-summary");
if (summary) summary.focus();
else if (document.referrer.startsWith(location.origin)) document.querySelector("h1[tabindex]")?.focus();

for (const element of document.querySelectorAll("[data-later]")) {
  element.hidden = true;
  setTimeout(() => { element.hidden = false; }, 30_000);
}

const watchSession = async () => {
  const expires = Number(document.body.dataset.expires) * 1000;
  if (!expires) return;
  const wait = expires - later - Date.now();
  if (wait > 0) return void setTimeout(watchSession, Math.min(wait + 500, 60_000));
  try {
    const answer = await fetch(`${base}/api/session`, { headers: { Accept: "application/json" } });
    const session = await answer.json();
    if (!session.signed_in) return show(byId("session-warning"), true);
    const end = Date.parse(session.expires_at);
    document.body.dataset.expires = String(end / 1000);
    show(byId("session-warning"), end - later <= Date.now());
    setTimeout(watchSession, 30_000);
  } catch {
    setTimeout(watchSession, 30_000);
  }
};
watchSession();
