@echo off
rem The UCI engine; give this file's path to a chess GUI. No arguments needed.
call "%~dp0environment.bat" 
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -P -m engine %*
