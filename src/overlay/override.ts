export { decodeOverride, encodeOverride, type Override, overrideName } from '../layer/override.ts'
