// The two passkey ceremonies. A form with data-passkey="create" or "get" names where its options come from (data-options)
// and where the answer goes (its action). What the browser must not see in a page comes by fetch, guarded as every POST.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function send(path, csrf, value) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrf },
    body: JSON.stringify(value),
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.message ?? "That did not work. Reload the page and try again.");
  return body;
}

function answerOf(credential) {
  const response = credential.response;
  const given = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) given[name] = text(response[name]);
  }
  if (response.getTransports) given.transports = response.getTransports();
  return {
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response: given,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function ceremony(form) {
  const csrf = form.elements.csrf.value;
  const extra = Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrf"));
  const { options, challenge } = await send(form.dataset.options, csrf, extra);
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  let credential;
  if (form.dataset.passkey === "create") {
    publicKey.user = { ...options.user, id: bytes(options.user.id) };
    publicKey.excludeCredentials = known(options.excludeCredentials);
    credential = await navigator.credentials.create({ publicKey });
  } else {
    publicKey.allowCredentials = known(options.allowCredentials);
    credential = await navigator.credentials.get({ publicKey });
  }
  return send(form.getAttribute("action"), csrf, { ...extra, challenge, response: answerOf(credential) });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  if (!window.PublicKeyCredential) continue;
  if (!("approve" in form.dataset)) button.disabled = false;  // there, approval.js says when
  form.querySelector("[data-no-script]")?.remove();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      location.assign((await ceremony(form)).to);
    } catch (error) {
      problem.textContent = error.name === "NotAllowedError" ? "Cancelled, or no passkey fits. Nothing was changed." : error.message;
      problem.hidden = false;
      button.disabled = false;
    }
  });
}
