/** For so long a run looks ahead, in seconds. What it has not looked at by then it does not do. */
export const PLANNING_SECONDS = 20;
