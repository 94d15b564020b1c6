// For tests: virtual time, and the values that a broadcast retains.

export { retained } from '@quiesce/broadcast-channel/testing';
export { VirtualClock } from '@quiesce/cancellation-token/testing';
