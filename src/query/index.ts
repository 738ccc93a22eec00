/**
 * Questions to one tree, answered as they are walked: everything under a place, find(1), du(1), who owns things.
 */
export { type Accounts, accountsOf } from './accounts.ts'
export { type FindOptions, type Found, find } from './find.ts'
export {
  type Comparison,
  type FindAction,
  type FindExpression,
  type FindPlan,
  type FindTest,
  parseFind,
} from './find-expression.ts'

export { type PackageOf, packagesOf } from './packages.ts'
export { type TreeUsage, type TreeUsageOptions, treeUsage } from './usage.ts'
export { type Walked, type WalkOptions, walkTree } from './walk.ts'
