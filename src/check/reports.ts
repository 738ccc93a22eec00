import type { CheckFinding, CheckReport } from './findings.ts'
import type { RuleName } from './rules.ts'

/** What a rule is about, for reports that list rules. */
const ruleTexts: Readonly<Record<RuleName, string>> = {
  'size-image': 'The image is no larger than it may be.',
  'size-contents': 'The files of the image are together no larger than they may be.',
  'size-layer': 'No layer is larger than it may be.',
  'size-file': 'No file is larger than it may be.',
  layers: 'There are no more layers than there may be.',
  efficiency: 'Enough of the bytes in layers are of use.',
  'efficiency-dive': 'Enough of the bytes in layers are of use, by the score of dive.',
  wasted: 'Layers hold no more in vain than they may.',
  'forbidden-path': 'Nothing is where nothing may be.',
  'missing-path': 'Everything is there that has to be.',
  'set-id': 'No file runs as its owner or group.',
  'world-writable': 'Nothing can be written by everybody.',
  capability: 'No file has capabilities.',
  secret: 'There are no secrets in the image.',
  unscanned: 'Secrets were looked for everywhere.',
  label: 'All labels are there that have to be.',
}

/** A finding on a line: `error: secret: /etc/key (layer 2, line 1): private key (-----BEG…)`. */
export function findingLine({ rule, severity, message, path, layer, line, ignored }: CheckFinding): string {
  const at = [layer === undefined ? '' : `layer ${layer}`, line === undefined ? '' : `line ${line}`].filter(
    (one) => one !== '',
  )
  const place = `${path ?? ''}${at.length > 0 ? `${path === undefined ? '' : ' '}(${at.join(', ')})` : ''}`
  const said = ignored === undefined ? severity : `ignored${ignored === '' ? '' : ` (${ignored})`}`
  return `${said}: ${rule}: ${place === '' ? '' : `${place}: `}${message}`
}

/** SARIF 2.1.0, the value of the document. What is ignored is there as suppressed. */
export function sarifReport(report: CheckReport, image: string, version: string): object {
  const named = [...new Set([...report.rules, ...report.findings.map(({ rule }) => rule)])].sort()
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'ply check',
            version,
            rules: named.map((id) => ({ id, shortDescription: { text: ruleTexts[id] } })),
          },
        },
        properties: { image, digest: report.image },
        results: report.findings.map((one) => ({
          ruleId: one.rule,
          ruleIndex: named.indexOf(one.rule),
          level: one.severity,
          message: { text: one.message },
          locations: [locationOf(one, image)],
          ...(one.ignored !== undefined && {
            suppressions: [{ kind: 'external', ...(one.ignored !== '' && { justification: one.ignored }) }],
          }),
        })),
      },
    ],
  }
}

function locationOf({ path, layer, line }: CheckFinding, image: string): object {
  const whole = path?.startsWith('/') ? path.slice(1) : undefined
  const uri = (whole ?? image).split('/').map(encodeURIComponent).join('/')
  return {
    physicalLocation: {
      artifactLocation: { uri: uri === '' ? '.' : uri },
      ...(line !== undefined && { region: { startLine: line } }),
    },
    ...((layer !== undefined || (path !== undefined && whole === undefined)) && {
      logicalLocations: [{ fullyQualifiedName: layer === undefined ? path : `layer ${layer}` }],
    }),
  }
}

/** What JUnit's XML has: a case for each rule that was asked, which fails if it has findings that are errors. */
export function junitReport(report: CheckReport, image: string): string {
  const named = [...new Set([...report.rules, ...report.findings.map(({ rule }) => rule)])].sort()
  const cases = named.map((rule) => {
    const lines = report.findings.filter((one) => one.rule === rule)
    const failing = lines.filter(({ severity, ignored }) => severity === 'error' && ignored === undefined)
    const head = `    <testcase classname="${xml(image)}" name="${xml(rule)}" time="0"`
    const text = xml(lines.map(findingLine).join('\n'))
    if (failing.length > 0) {
      const message = failing.length === 1 ? failing[0]!.message : `${failing.length} findings`
      return `${head}>\n      <failure message="${xml(message)}" type="${xml(rule)}">${text}</failure>\n    </testcase>`
    }
    return lines.length > 0 ? `${head}>\n      <system-out>${text}</system-out>\n    </testcase>` : `${head}/>`
  })
  const failures = cases.filter((one) => one.includes('<failure ')).length
  const counts = `tests="${named.length}" failures="${failures}" errors="0" skipped="0" time="0"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="ply check" ${counts}>`,
    `  <testsuite name="${xml(image)}" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

/** Text for XML 1.0, which has no place for most control characters. */
function xml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, (character) => escapes[character]!)
}
