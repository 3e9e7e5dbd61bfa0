/**
 * The page's script, as the browser gets it. Every text of a run becomes a text node, never markup: the page's policy
 * forbids the browser anything else.
 */
import { PHASES, STATES } from "../Words.ts"

export const script = `
"use strict";
const PAUSE = 2000;
const known = new Map();
const byId = (id) => document.getElementById(id);

const make = (tag, className, ...content) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
};

const count = (n) => Math.round(n).toLocaleString("en");
const span = (seconds) => {
  const s = Math.round(seconds);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  if (s < 172800) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
};
const PHASES = ${JSON.stringify(PHASES)};
const STATES = ${JSON.stringify(STATES)};

const titleOf = (run) =>
  run.operation + (run.jobId === undefined ? "" : " of job " + run.jobId);

const stateOf = (run, now) => {
  if (run.state === "active") return (PHASES[run.phase] || run.phase) + ", " + span(run.secondsInPhase);
  const ago = run.endedAt === undefined ? "" : ", " + span(Math.max(0, (now - Date.parse(run.endedAt)) / 1000)) + " ago";
  return (STATES[run.state] || run.state) + ago;
};

const progressOf = (run) => {
  const { progress } = run;
  if (progress === undefined) return [];
  const words = [count(progress.rows) + " rows"];
  if (progress.rowsPerSecond !== undefined) words.push(count(progress.rowsPerSecond) + " rows/s");
  if (run.state === "active" && progress.remainingSeconds !== undefined)
    words.push(span(progress.remainingSeconds) + " left");
  const text = make("p", "facts", words.join(" · "));
  if (run.state !== "active" || progress.share === undefined) return [text];
  const bar = make("progress", "");
  bar.max = 1;
  bar.value = progress.share;
  bar.setAttribute("aria-label", "progress of " + titleOf(run));
  words.unshift(Math.round(progress.share * 100) + " %");
  text.textContent = words.join(" · ");
  return [bar, text];
};

const factsOf = (run) => {
  const facts = [];
  if (run.connector !== undefined) facts.push(run.connector);
  if (run.detail !== undefined) facts.push(run.detail);
  if (run.pod !== undefined) facts.push("Pod " + run.pod + (run.node === undefined ? "" : " on " + run.node));
  if (run.attempt > 1) facts.push("attempt " + run.attempt);
  facts.push(run.workflowId);
  return make("p", "facts", facts.join(" · "));
};

const failureOf = ({ failure }) => {
  if (failure === undefined) return [];
  const box = make("div", "failure", make("p", "", make("strong", "", failure.type), " ", failure.cause));
  if (failure.remedy !== undefined) box.append(make("p", "", make("strong", "", "What to do: "), failure.remedy));
  return [box];
};

const linesOf = (run, isOpen) => {
  if (run.lastLines.length === 0) return [];
  const text = run.lastLines
    .map(({ time, level, message }) => time.slice(11, 19) + " " + level.toUpperCase().padEnd(5) + " " + message)
    .join("\\n");
  const details = make("details", "", make("summary", "", "Last lines of the log"), make("pre", "", text));
  details.open = isOpen;
  return [details];
};

const isOpenIn = (element) => {
  const details = element.querySelector("details");
  return details !== null && details.open;
};

const fill = (element, run, now) => {
  const state = make("span", "state " + run.state, stateOf(run, now));
  const isOpen = isOpenIn(element);
  const hadFocus = element.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY";
  element.replaceChildren(
    make("div", "head", make("strong", "", titleOf(run)), state),
    ...progressOf(run),
    factsOf(run),
    ...failureOf(run),
    ...linesOf(run, isOpen)
  );
  const summary = element.querySelector("summary");
  if (hadFocus && summary !== null) summary.focus();
};

const show = (list, runs, now) => {
  const elements = runs.map((run) => {
    const key = run.workflowId + "\\n" + run.runId;
    const element = known.get(key) || make("li", "run");
    known.set(key, element);
    fill(element, run, now);
    return element;
  });
  if (elements.length === 0) elements.push(make("li", "none", "None."));
  if (elements.some((element, index) => list.children[index] !== element) || list.children.length !== elements.length)
    list.replaceChildren(...elements);
};

const refresh = async () => {
  try {
    const answer = await fetch("/jobs", { cache: "no-store" });
    if (!answer.ok) throw new Error("it answers " + answer.status);
    const { worker, time, runs, omitted } = await answer.json();
    const now = Date.parse(time);
    const active = runs.filter(({ state }) => state === "active");
    const over = runs.filter(({ state }) => state !== "active");
    const keys = new Set(runs.map((run) => run.workflowId + "\\n" + run.runId));
    for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    show(byId("active"), active, now);
    show(byId("over"), over, now);
    const more = omitted > 0 ? ", " + omitted + " more are not shown" : "";
    const text = "Worker " + worker + ": " + active.length + " active, " + over.length + " before" + more;
    if (byId("summary").textContent !== text) byId("summary").textContent = text;
  } catch (error) {
    byId("summary").textContent = "The worker does not answer (" + error.message + "). What is below may be old.";
  }
};

const loop = async () => {
  if (!document.hidden) await refresh();
  setTimeout(loop, PAUSE);
};
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
loop();
`
