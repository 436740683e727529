// Buttons are pressed once, focus goes where it helps, and a session that is about to end says so.
const base = document.body.dataset.base;
const later = 120_000;

export const byId = (id) => document.getElementById(id);

export const show = (element, visible) => {
  if (element) element.hidden = !visible;
};

export const offerSignIn = (element, text) => {
  const link = document.createElement("a");
  link.href = `${base}/auth/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = text;
  element.replaceChildren(link);
  show(element, true);
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

for (const button of document.querySelectorAll("[data-untick]")) {
  show(button, true);
  button.addEventListener("click", () => button.form.querySelectorAll("[type=checkbox]").forEach((box) => { box.checked = false; }));
}

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
    // Hidden: to look after the session is no use of it.
    const answer = await fetch(`${base}/api/session?hidden=1`, { headers: { Accept: "application/json" } });
    const session = await answer.json();
    if (!session.signed_in) return offerSignIn(byId("session-warning"), "You are signed out. Sign in to go on.");
    const end = Date.parse(session.expires_at);
    document.body.dataset.expires = String(end / 1000);
    show(byId("session-warning"), end - later <= Date.now());
    setTimeout(watchSession, 30_000);
  } catch {
    setTimeout(watchSession, 30_000);
  }
};
watchSession();
