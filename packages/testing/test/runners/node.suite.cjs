require('./suite.cjs')(require('node:test').test, require('./testing.cjs'));
