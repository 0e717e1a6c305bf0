"use strict";
// The page of /inspect/{job}. What comes over the WebSocket is only ever set as text.
const job = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const tokenKey = "spillway.token";
const rowsMax = 400;
const retryMillis = [500, 1000, 2000, 5000, 10000];
const byId = (id) => document.getElementById(id);
const rows = [];
const flashes = { states: new Set(), edges: new Set() };
let value;
let figures;
let lost = 0;
let failures = 0;
let isPaused = false;
let isDrawing = false;

byId("job").textContent = job;
document.title = `${job}: Spillway`;

// --- connection ---

const base64url = (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const say = (text, kind) => {
  byId("connection").textContent = text;
  byId("connection").dataset.kind = kind;
};

const connect = () => {
  const token = sessionStorage.getItem(tokenKey);
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const protocols = ["spillway.inspect", ...(token ? [`bearer.${base64url(token)}`] : [])];
  const socket = new WebSocket(`${scheme}//${location.host}/v1/buffers/${job}/inspect`, protocols);
  let isOpen = false;
  socket.addEventListener("open", () => {
    isOpen = true;
    failures = 0;
    say("Live", "good");
  });
  socket.addEventListener("message", ({ data }) => take(JSON.parse(data)));
  socket.addEventListener("close", ({ code, reason }) => {
    if (code === 4404 || code === 4429) {
      say(`${reason}. Looking again …`, "bad");
      setTimeout(connect, 5000);
    } else if (isOpen) retry("The connection ended. Connecting again …");
    else void explain(token);
  });
};

const retry = (text) => {
  say(text, "bad");
  setTimeout(connect, retryMillis[Math.min(failures, retryMillis.length - 1)]);
  failures += 1;
};

// A browser does not say why a WebSocket was refused: another route does.
const explain = async (token) => {
  try {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch("/v1/version", { headers });
    if (answer.status === 401) return askToken(token !== null);
    const text = answer.ok ? "" : ((await answer.json()).error?.message ?? `status ${answer.status}`);
    retry(text || "The node does not let this page watch. Trying again …");
  } catch {
    retry("The node does not answer. Trying again …");
  }
};

const askToken = (wasWrong) => {
  sessionStorage.removeItem(tokenKey);
  byId("token-form").hidden = false;
  byId("token").focus();
  say(wasWrong ? "This token is refused" : "A token is needed", "bad");
};

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(tokenKey, byId("token").value.trim());
  byId("token").value = "";
  byId("token-form").hidden = true;
  connect();
});

// --- frames ---

const flat = (state) =>
  typeof state === "string"
    ? state
    : Object.entries(state)
        .map(([key, child]) => `${key}.${flat(child)}`)
        .join(", ");

const stepText = (from, to) =>
  Object.keys(to)
    .filter((region) => from === undefined || flat(from[region] ?? "") !== flat(to[region]))
    .map((region) => `${region} ${from === undefined ? "" : `${flat(from[region] ?? "–")} → `}${flat(to[region])}`)
    .join(", ");

const take = (frame) => {
  const millis = Number(frame.createdAt);
  switch (frame.type) {
    case "@xstate.actor":
      noteRecent(frame.recent);
      value = frame.snapshot.value;
      note(millis, "actor", frame.sessionId, stepText(undefined, value));
      break;
    case "@xstate.event":
      note(millis, "event", eventName(frame.event.type), brief(frame.event));
      break;
    case "@xstate.microstep":
      for (const { source, targets } of frame.transitions) {
        for (const target of targets) {
          flashes.edges.add(`${source}>${target}`);
          flashes.states.add(target);
        }
      }
      break;
    case "@xstate.guard":
      note(millis, "guard", frame.guard.type, frame.passed ? "held" : "did not hold");
      break;
    case "@xstate.action":
      note(millis, "action", frame.action.type, brief(frame.action.params));
      break;
    case "@xstate.snapshot":
      takeSnapshot(millis, frame);
      break;
    case "@spillway.figures":
      figures = frame.figures;
      break;
    case "@spillway.rest":
      noteRecent(frame.recent);
      value = undefined;
      note(millis, "rest", frame.reason, frame.text);
      break;
    case "@spillway.lost":
      lost += frame.events;
      break;
  }
  draw();
};

// As the chart writes it.
const eventName = (type) => type.replace(/^xstate\.after\.([^.]+)\..*$/, "after $1");

const takeSnapshot = (millis, { event, snapshot }) => {
  if (snapshot.status !== "active") note(millis, "transition", eventName(event.type), `actor ${snapshot.status}`);
  else {
    const step = stepText(value ?? {}, snapshot.value);
    if (step !== "") note(millis, "transition", eventName(event.type), step);
  }
  value = snapshot.value;
};

let newestRecent = 0;
const noteRecent = (recent) => {
  for (const { delivery, event, flow, millis } of recent) {
    if (millis <= newestRecent) continue;
    newestRecent = millis;
    note(millis, "transition", event, `flow ${flow}, delivery ${delivery}`, true);
  }
};

const brief = (data) => {
  const text = JSON.stringify(data) ?? "";
  return text.length > 240 ? `${text.slice(0, 240)}…` : text;
};

const note = (millis, kind, name, detail, isBefore = false) => {
  if (kind === "transition" || kind === "actor") newestRecent = Math.max(newestRecent, millis);
  rows.push({ millis, kind, name, detail, isBefore });
  if (rows.length > rowsMax * 4) rows.splice(0, rows.length - rowsMax * 3);
};

// --- drawing: at most once a frame, however much arrives ---

const draw = () => {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    drawState();
    drawFigures();
    if (!isPaused) drawLog();
  });
};

const idsOf = (state, prefix) =>
  typeof state === "string"
    ? [`${prefix}.${state}`]
    : Object.entries(state).flatMap(([key, child]) => [`${prefix}.${key}`, ...idsOf(child, `${prefix}.${key}`)]);

const drawState = () => {
  const root = document.querySelector("#chart .state")?.dataset.state ?? "";
  const active = new Set(value === undefined ? [] : [root, ...idsOf(value, root)]);
  for (const state of document.querySelectorAll("#chart .state")) {
    const isActive = active.has(state.dataset.state);
    state.classList.toggle("active", isActive);
    if (isActive) state.setAttribute("aria-current", "true");
    else state.removeAttribute("aria-current");
    if (flashes.states.has(state.dataset.state)) flash(state, "visited");
  }
  for (const edge of document.querySelectorAll("#chart .edge")) {
    if (flashes.edges.has(`${edge.dataset.source}>${edge.dataset.target}`)) flash(edge, "taken");
  }
  flashes.states.clear();
  flashes.edges.clear();
  const { delivery, flow } = value ?? {};
  setText("delivery", delivery === undefined ? "no actor" : flat(delivery));
  setText("flow", flow === undefined ? "–" : flat(flow));
  setText("state-text", `delivery ${byId("delivery").textContent}, flow ${byId("flow").textContent}`);
  setText("lost", lost === 0 ? "" : `${lost.toLocaleString()} events were too fast for this page and are not shown`);
};

const timers = new WeakMap();
const flash = (element, name) => {
  clearTimeout(timers.get(element));
  element.classList.add(name);
  timers.set(
    element,
    setTimeout(() => element.classList.remove(name), 1500),
  );
};

const setText = (id, text) => {
  if (byId(id).textContent !== text) byId(id).textContent = text;
};

const time = (millis) => (millis === null ? "never" : new Date(millis).toISOString().slice(11, 23));
const number = (count) => count.toLocaleString("en-GB");

const drawFigures = () => {
  if (figures === undefined) return;
  setText("about", `${figures.customer}, ${figures.dataset}, to ${figures.destination}, revision ${figures.revision}`);
  const lines = [
    ["cursor", number(figures.cursor)],
    ["lag", `${number(Math.round(figures.lagMillis / 1000))} s`],
    ["failed attempts", number(figures.failures), figures.failures > 0],
    ["crashes", number(figures.crashes), figures.crashes > 0],
    ["window", `${number(figures.windowBytes)} bytes`],
    ...Object.entries(figures.books).map(([account, tally]) => [account, `${number(tally.records)} records`]),
    ["unexplained", `${number(figures.unexplainedRecords)} records`, figures.unexplainedRecords !== 0],
    ["last success", time(figures.lastSuccessMillis)],
    ["last error", time(figures.lastErrorMillis)],
    ...(figures.lastError === null ? [] : [["error", figures.lastError, true]]),
    ...(figures.evidence === null ? [] : [["quarantined", brief(figures.evidence), true]]),
  ];
  byId("figures").replaceChildren(
    ...lines.flatMap(([name, text, isBad]) => {
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = name;
      description.textContent = text;
      description.classList.toggle("bad", isBad === true);
      return [term, description];
    }),
  );
};

const shown = {
  transitions: ["transition", "actor", "rest"],
  events: ["transition", "actor", "rest", "event"],
  everything: ["transition", "actor", "rest", "event", "guard", "action"],
};

const drawLog = () => {
  const kinds = shown[byId("kinds").value];
  const wanted = rows.filter(({ kind }) => kinds.includes(kind)).slice(-rowsMax);
  byId("log").replaceChildren(
    ...wanted.toReversed().map(({ detail, isBefore, kind, millis, name }) => {
      const row = document.createElement("tr");
      if (isBefore) row.className = "before";
      for (const text of [time(millis), isBefore ? `${kind}, before` : kind, name, detail]) {
        row.appendChild(document.createElement("td")).textContent = text;
      }
      return row;
    }),
  );
};

byId("kinds").addEventListener("change", draw);
byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  byId("pause").textContent = isPaused ? "Go on" : "Pause";
  draw();
});

connect();
