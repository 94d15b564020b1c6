/** The states of a race; race.ts says what they mean. Those behind DECIDED are the end. */
export const RACING = 0;
export const RESTING = 1;
export const DECIDED = 2;
export const CLEANING = 3;
export const GIVEN_UP = 4;

/** What an entry of a race is: a branch that is asked; out of this turn, by its pattern; or off for good. */
export const ON = 0;
export const OUT = 1;
export const OVER = 2;

/** Whether a poll pass is under way, and whether something woke the race meanwhile. */
export const IDLE = 0;
export const POLLING = 1;
export const POLL_AGAIN = 2;
