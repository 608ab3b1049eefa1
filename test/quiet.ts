/** A logger that nobody listens to; fits every interface of a logger in the project. */
export const quiet = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
