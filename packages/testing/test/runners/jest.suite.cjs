// @ts-nocheck: each runner has globals of its own.
require('./suite.cjs')(test, require('./testing.cjs'));
