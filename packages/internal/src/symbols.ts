/** The public `source`, which is the same in every copy. */
export const SOURCE: symbol = /* @__PURE__ */ Symbol.for('quiesce.source');

/** The public `PENDING`, which is the same in every copy. */
export const PENDING: symbol = /* @__PURE__ */ Symbol.for('quiesce.pending');
