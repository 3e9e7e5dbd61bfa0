/** The page's looks: one column that fits a phone, light or dark as the system is. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --line: #d9dde3; --text: #1a1f27; --dim: #5a6472;
  --accent: #1f5fbf; --track: #e3e8ef; --good: #1b7a3d; --bad: #b3261e; --wait: #8a5a00; --code: #f0f2f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101418; --card: #1a2027; --line: #303945; --text: #e7ebf0; --dim: #a3adba;
    --accent: #7fb0ff; --track: #2b3440; --good: #6fd08f; --bad: #ff9c94; --wait: #f0bf66; --code: #12171d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem;
  background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.4rem; }
h2 { margin: 1.5rem 0 .5rem; font-size: 1rem; color: var(--dim); }
header p, footer p { margin: .25rem 0 0; color: var(--dim); }
footer { margin-top: 2rem; font-size: .9rem; }
a { color: var(--accent); }
ul { margin: 0; padding: 0; list-style: none; }
li.run {
  margin: 0 0 .75rem; padding: .75rem 1rem;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
}
.head { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
.head strong { font-size: 1.05rem; }
.state { margin-left: auto; font-weight: 600; }
.active { color: var(--accent); }
.succeeded { color: var(--good); }
.failed { color: var(--bad); }
.retrying, .cancelled, .left, .ended { color: var(--wait); }
.facts { margin: .25rem 0 0; color: var(--dim); font-size: .9rem; overflow-wrap: anywhere; }
progress {
  display: block; width: 100%; height: .6rem; margin: .5rem 0 .25rem; border: 0; border-radius: .3rem;
  overflow: hidden; appearance: none; background: var(--track); accent-color: var(--accent);
}
progress::-webkit-progress-bar { background: var(--track); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
.failure { margin: .5rem 0 0; padding-left: .75rem; border-left: .25rem solid var(--bad); overflow-wrap: anywhere; }
.failure p { margin: 0 0 .25rem; }
details { margin-top: .5rem; }
summary { cursor: pointer; color: var(--dim); font-size: .9rem; }
pre {
  margin: .5rem 0 0; padding: .5rem .75rem; overflow-x: auto; background: var(--code); border-radius: .3rem;
  font: .8rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
}
.none { color: var(--dim); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`
