/**
 * The longest, in milliseconds, that a test lets something take that is promised within 100 ms. On a machine that does other things as
 * well, any process may be kept waiting; what does not stop at all goes on for many seconds, or for ever.
 */
export const prompt = 1000
