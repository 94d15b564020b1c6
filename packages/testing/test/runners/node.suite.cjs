// @ts-nocheck: each runner has globals of its own.
require('./suite.cjs')(require('node:test').test, require('./testing.cjs'));
