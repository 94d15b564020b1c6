export { retained } from './retained.ts';
