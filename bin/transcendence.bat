@echo off
setlocal
rem The UCI engine; give this file's path to a chess GUI. No arguments needed.
call "%~dp0environment.bat" engine
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m engine %*
