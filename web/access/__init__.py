"""Who somebody is: tokens of users, JWTs and their keys, the cookies of browsers, roles."""
