export { type MarkSpace, type Marks, marks, yes } from '../layer/overlay-marks.ts'
