// @ts-nocheck: each runner has globals of its own.
import { test } from 'vitest';
import suite from './suite.cjs';
import * as testing from './testing.cjs';

suite(test, testing);
