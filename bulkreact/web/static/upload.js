// Sends a file as soon as it is chosen or dropped, with a bar; without it the form's own button does.
import { show } from "./page.js";

const megabytes = (bytes) => `${(bytes / 1_000_000).toFixed(1)} MB`;
const kinds = /\.(csv|tsv|txt|xlsx)(\.gz)?$/i;

const objection = (file, most) => {
  if (!kinds.test(file.name)) return `${file.name} is no table: save it as .xlsx or .csv, and choose that file.`;
  if (file.size > most) return `The file has ${megabytes(file.size)}; at most ${megabytes(most)} are taken. Split it.`;
  return "";
};

const refusal = (request, size) => {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    const reason = request.status === 413 ? ` takes no files of ${megabytes(size)}; its administrator must raise the limit (nginx: client_max_body_size)` : ` answered ${request.status}`;
    return `The server in front of bulkreact${reason}.`;
  }
};

const isSignedIn = async () => {
  const answer = await fetch(`${document.body.dataset.base}/api/session`, { headers: { Accept: "application/json" } });
  const session = await answer.json();
  return session.signed_in ? session.csrf : "";
};

const prepare = (form) => {
  const input = form.querySelector("[type=file]");
  const progress = form.querySelector("[data-progress]");
  const problem = form.querySelector("[data-upload-error]");
  show(form.querySelector("[data-at-once]"), true);
  const fail = (text) => {
    problem.textContent = text;
    show(problem, true);
    show(progress, false);
    form.elements.form_id.value = crypto.randomUUID();
  };

  let later;
  // The file is kept: it goes on as soon as there is a session again.
  const wait = (file) => {
    later = setTimeout(() => send(file), 2000);
    if (problem.querySelector("a")) return;
    fail("You are signed out. Sign in, and the upload goes on by itself: ");
    const link = document.createElement("a");
    link.href = `${document.body.dataset.base}/auth/sign-in`;
    link.target = "_blank";
    link.textContent = "sign in in another tab";
    problem.append(link);
  };

  const send = async (file) => {
    clearTimeout(later);
    const reason = objection(file, Number(form.dataset.most));
    if (reason) return fail(reason);
    try {
      const token = await isSignedIn();
      if (!token) return wait(file);
      form.elements.csrf.value = token;
    } catch {
      return fail("Not connected. Choose the file again in a moment.");
    }
    show(problem, false);
    const data = new FormData();
    for (const [name, value] of new FormData(form)) if (name !== "file") data.append(name, value);
    data.append("file", file);
    const request = new XMLHttpRequest();
    const began = Date.now();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = ({ loaded, total }) => {
      progress.querySelector("progress").value = (loaded * 100) / total;
      const left = Math.round(((Date.now() - began) / loaded) * (total - loaded) / 1000);
      progress.querySelector("[data-bytes]").textContent = `${megabytes(loaded)} of ${megabytes(total)}, ${left} s left`;
    };
    request.onload = () => {
      if (request.status < 300) location.assign(JSON.parse(request.responseText).location);
      else fail(refusal(request, file.size));
    };
    request.onerror = () => fail("The connection broke. Choose the file again.");
    request.onabort = () => fail("Cancelled. Nothing was kept.");
    progress.querySelector("button").onclick = () => request.abort();
    show(progress, true);
    request.send(data);
  };

  if (form.dataset.testBytes) form.querySelector("button:not([type])").addEventListener("click", (event) => {
    event.preventDefault();
    send(new File([new Uint8Array(Number(form.dataset.testBytes))], "test.csv"));
  });
  input.addEventListener("change", () => { if (input.files.length) send(input.files[0]); });
  for (const name of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.toggle("drop", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
    });
  }
};

document.querySelectorAll("form[data-upload]").forEach(prepare);
