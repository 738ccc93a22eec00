import type { Operation } from '../model/operation.ts'
import { type LayerStack, waste } from '../trace/index.ts'
import { checkDocuments } from './documents.ts'
import { type CheckReport, Findings } from './findings.ts'
import { checkPaths } from './paths.ts'
import type { CheckRules, RuleName } from './rules.ts'
import { SecretSearch } from './secrets.ts'

/**
 * Looks whether an image is as rules want it. Only indexes are read, but for what secrets are looked for in, and for what `efficiency` has
 * to compare.
 *
 * @throws PLY_BAD_LAYER for a hardlink to nothing (H-06); PLY_ABORTED
 */
export async function checkImage(
  stack: LayerStack,
  rules: CheckRules,
  operation: Operation = {},
): Promise<CheckReport> {
  const findings = new Findings(rules)
  const secrets = rules.secrets && new SecretSearch(rules.secrets)
  checkDocuments(stack, rules, secrets, findings)
  await checkPaths(stack, rules, secrets, findings, operation.signal)
  await checkEfficiency(stack, rules, findings, operation)
  return findings.report(stack.image.digest)
}

async function checkEfficiency(
  stack: LayerStack,
  { efficiency: { min, dive, wasted } }: CheckRules,
  findings: Findings,
  operation: Operation,
): Promise<void> {
  if (min === undefined && dive === undefined && wasted === undefined) return
  const found = await waste(stack, operation)
  const least = (rule: RuleName, share: number, limit: number | undefined): void => {
    if (limit === undefined) return
    findings.asks(rule)
    if (share < limit)
      findings.add({
        rule,
        message: `${percent(share)} of the bytes are of use, and at least ${percent(limit)} are wanted`,
      })
  }
  least('efficiency', found.efficiency, min)
  least('efficiency-dive', found.diveEfficiency, dive)
  findings.limit('wasted', 'what layers hold in vain', found.wasted, wasted)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}
