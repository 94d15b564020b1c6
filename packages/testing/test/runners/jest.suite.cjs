require('./suite.cjs')(test, require('./testing.cjs'));
