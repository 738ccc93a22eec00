/**
 * Whether an image is as somebody wants it: rules, what they find, and reports that other programs read.
 */
export { checkImage } from './check.ts'
export type { CheckFinding, CheckReport } from './findings.ts'
export { pathPattern } from './path-pattern.ts'
export { findingLine, junitReport, sarifReport } from './reports.ts'
export {
  type CheckRules,
  defaultRules,
  type Forbidden,
  type Ignore,
  type RuleName,
  ruleNames,
  type SecretRules,
  type Severity,
} from './rules.ts'
export { checkRules } from './rules-document.ts'
export { type Secret, SecretSearch } from './secrets.ts'
