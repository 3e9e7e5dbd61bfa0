/** The page of runs: one file, which asks `/jobs` again and again. Nothing in it comes from outside, and nothing leaves it. */
import { createHash } from "node:crypto"
import { script } from "./Script.ts"
import { style } from "./Style.ts"

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** Only this very script and style count; no markup can be made from text, whatever a connector prints. */
export const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

export const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>OLake runs</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>OLake runs</h1>
<p id="summary" role="status" aria-live="polite">Asking the worker…</p>
</header>
<noscript><p>This page needs JavaScript; <a href="/jobs">/jobs</a> has the same as JSON.</p></noscript>
<main>
<section aria-labelledby="now"><h2 id="now">Now</h2><ul id="active"></ul></section>
<section aria-labelledby="before"><h2 id="before">Before</h2><ul id="over"></ul></section>
</main>
<footer><p>What this worker knows; other workers know their own. <a href="/jobs">As JSON</a></p></footer>
<script>${script}</script>
</body>
</html>
`
