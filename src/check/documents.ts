import { describeImage } from '../image/describe.ts'
import { encodeText } from '../model/bytes.ts'
import type { LayerStack } from '../trace/index.ts'
import type { Findings } from './findings.ts'
import type { CheckRules } from './rules.ts'
import type { SecretSearch } from './secrets.ts'

/** What the documents of an image say: sizes, layers, labels, and what its config should not tell. */
export function checkDocuments(
  { image, layers }: LayerStack,
  { size, labels }: CheckRules,
  secrets: SecretSearch | undefined,
  findings: Findings,
): void {
  const whole = describeImage(image)
  findings.limit('size-image', 'the image', whole.size, size.image)
  for (const [layer, { size: bytes }] of layers.entries())
    findings.limit('size-layer', `layer ${layer}`, bytes, size.layer, { layer })
  if (size.layers !== undefined) {
    findings.asks('layers')
    if (layers.length > size.layers)
      findings.add({ rule: 'layers', message: `${layers.length} layers, and no more than ${size.layers} are wanted` })
  }
  if (labels.length > 0) findings.asks('label')
  for (const label of labels)
    if ((whole.config.Labels?.[label] ?? '') === '')
      findings.add({ rule: 'label', message: `there is no label ${label}` })
  if (secrets) configSecrets(whole, secrets, findings)
}

function configSecrets(
  { config, history }: ReturnType<typeof describeImage>,
  secrets: SecretSearch,
  findings: Findings,
): void {
  findings.asks('secret')
  const texts: (readonly [string, string])[] = [
    ...(config.Env ?? []).map((one) => [`config.Env.${one.split('=')[0]}`, one] as const),
    ...Object.entries(config.Labels ?? {}).map(([name, value]) => [`config.Labels.${name}`, value] as const),
    ...history.map(({ createdBy }, step) => [`history[${step}]`, createdBy ?? ''] as const),
  ]
  for (const [path, text] of texts) {
    for (const { what, begins } of secrets.in(encodeText(text)))
      findings.add({ rule: 'secret', path, message: `${what} (${begins})` })
  }
  for (const one of config.Env ?? []) {
    const [name = '', ...value] = one.split('=')
    if (secrets.isTelling(name, value.join('=')))
      findings.add({
        rule: 'secret',
        path: `config.Env.${name}`,
        message: 'the value of a variable that has a secret by its name',
      })
  }
}
