// The page of the explorer as one file: script and style stand in it, and nothing else may run or be fetched.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const source = fileURLToPath(new URL('../src/explore/page/', import.meta.url))

/** HTML with `{{title}}` and `{{explored}}` where `explorerPage` puts what is explored. */
export async function explorerTemplate() {
  const bundle = await rolldown({
    input: `${source}main.tsx`,
    platform: 'browser',
  })
  const { output } = await bundle.generate({ format: 'iife', minify: true })
  await bundle.close()
  const script = output[0].code
  const style = readFileSync(`${source}page.css`, 'utf8').replace(/\n\s*/g, '\n')
  if (/<\/(script|style)/i.test(script + style)) throw new Error('the page would end inside of its own script or style')
  const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{{title}}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<div id="app"><p class="wait">Reading …</p></div>
<noscript>This page is a program: it needs scripts, and fetches nothing.</noscript>
<script type="application/octet-stream" id="explored">{{explored}}</script>
<script>${script}</script>
</body>
</html>
`
}
